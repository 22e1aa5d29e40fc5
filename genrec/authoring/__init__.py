"""What people who write prompts work with: samples, rendering, lint, tests, differences. No Python is needed for it."""
