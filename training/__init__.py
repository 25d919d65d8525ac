"""What changes weights: data sets in, a published model out."""
