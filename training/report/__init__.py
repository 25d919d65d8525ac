"""The report as a page for people: one HTML file that asks nothing of the network."""

from training.report.page import page

__all__ = ["page"]
