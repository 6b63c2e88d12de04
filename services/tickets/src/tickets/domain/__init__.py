"""What tickets decides, as pure functions: state and command in, effects out."""
