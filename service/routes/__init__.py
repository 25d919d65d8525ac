"""The routes, a module for each kind of question."""

from service.routes import admin, browse, docs, explain, feedback, health, page, recommend

ROUTERS = (recommend.router, explain.router, browse.router, feedback.router, health.router, docs.router, page.router)

ADMIN_ROUTERS = (admin.router,)
"""Only where an API key with the scope `admin` is set."""
