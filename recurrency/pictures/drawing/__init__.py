"""From a sketch to a drawing: coordinates, and output as SVG, PDF or DOT."""
