"""Settings of Sphinx for the book; tools/book.py puts this file beside the book's sources."""

project = "The learning rate"
author = "the authors of the course"
copyright = "the authors of the course; text and figures CC BY 4.0, code MIT"
language = "en"

extensions = ["myst_nb", "sphinx.ext.mathjax"]
source_suffix = {".md": "myst-nb", ".ipynb": "myst-nb"}

# The stored outputs are shown; nothing is run. They hold no widgets, so nothing is fetched for any.
nb_execution_mode = "off"
nb_ipywidgets_js = {}
nb_render_markdown_format = "myst"  # outputs have tables and formulas, as texts have
nb_code_prompt_show = "Show the code"
nb_code_prompt_hide = "Hide the code"

myst_enable_extensions = ["dollarmath", "colon_fence"]
myst_heading_anchors = 4

# MathJax 3, carried along; its menu would offer to load more.
mathjax_path = "mathjax/tex-svg-full.js"
mathjax3_config = {"options": {"enableMenu": False}}

html_theme = "furo"
html_title = "The learning rate"
html_favicon = "_static/favicon.svg"
html_static_path = ["_static"]
html_css_files = ["book.css"]
html_js_files = ["book.js"]
html_extra_path = ["_extra"]
html_copy_source = False
html_show_sphinx = False
html_use_index = False
pygments_style = "a11y-high-contrast-light"
pygments_dark_style = "a11y-high-contrast-dark"
