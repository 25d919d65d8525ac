"""The routes, a module for each kind of question."""

from service.routes import browse, explain, health, recommend

ROUTERS = (recommend.router, explain.router, browse.router, health.router)
