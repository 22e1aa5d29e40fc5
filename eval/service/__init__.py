"""What the service promises, held against it from outside: over HTTP, in a process of its own, with a scripted engine.

Each module prints what a sceptic would ask for, and has a control in which the promise is broken and is seen to be.
"""
