"""From the log to events: detectors, alarms, batches; decides by time as data."""
