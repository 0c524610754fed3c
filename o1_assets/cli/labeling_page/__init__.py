"""The web server of the labelling page, and the page: one HTML, one CSS and one JavaScript file."""
