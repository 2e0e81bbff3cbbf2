// Words and tables first; charts once the page has been rendered.
startFleet();
startMeters();
requestAnimationFrame(() => setTimeout(startPlotly, 0));
