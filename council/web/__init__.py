"""Pages in a browser: `council serve`. Datasette is the server; our plugin adds the pages over the same views.

What: `server` builds and runs it, `guard` keeps it harmless, `pages` makes what each page shows, `plugin` ties them to
Datasette. Everything is read-only, and every page has a `.json`. How to extend: a new page is a function in `pages.py`
or `more_pages.py`, a template of the same name, and a line in ROUTES.
"""
