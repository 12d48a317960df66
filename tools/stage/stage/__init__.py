"""What every stage must do because it is a stage: errors, options, streams, atomic output."""
