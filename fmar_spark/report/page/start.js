// Words and tables first; charts once the page has been painted.
startFleet();
startMeters();
requestAnimationFrame(() => setTimeout(startPlotly, 0));
