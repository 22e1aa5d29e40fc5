"""The service: what it promises under kills, load and faults, measured from outside."""
