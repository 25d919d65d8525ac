"""The demo stack: its compose file, its images, and the smoke test of a running one."""
