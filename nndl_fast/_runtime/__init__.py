"""What every other module may use: settings, checks of arguments, errors, types."""
