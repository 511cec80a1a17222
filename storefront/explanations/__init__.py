"""Why something earned what it did, in sentences. Refuses to decide anything."""
