"""Source of the Grafana dashboards: `make dashboards` writes them as JSON into docker/grafana/dashboards."""
