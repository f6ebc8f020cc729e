"""From a sketch to a drawing: where each part stands, and SVG, PDF or DOT."""
