"""What people see: pages made on the server, for those who sign in with an API key."""
