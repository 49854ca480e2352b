"""GeoJSON: features in pixels or on Earth."""
