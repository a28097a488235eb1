"""The report of a night: one HTML file that needs nothing else.

facts (what the registry says) and numbers (what the headers say) are gathered; layout, charts and mosaic draw; write
puts them on the page.
"""
