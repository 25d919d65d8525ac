"""The routes, a module for each kind of question."""

from service.routes import explain, health, recommend

ROUTERS = (recommend.router, explain.router, health.router)
