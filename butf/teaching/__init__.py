"""What the Learn page shows: the method's parts and steps counted on the real networks, and small worked examples."""
