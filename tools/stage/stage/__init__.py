"""What all tools do alike: errors, options, streams, atomic output, locks."""
