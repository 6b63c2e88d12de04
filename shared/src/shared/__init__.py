"""What must be the same on both sides of a wire, and the plumbing every service needs alike."""
