"""The book's local Sphinx extension: what the configuration file cannot say."""

PLACEHOLDER = "https://github.com/OWNER/REPO"


def hide_links_without_address(app, config):
    """Hide Colab and repository buttons while the repository has no address."""
    options = config.html_theme_options
    if options.get("repository_url", PLACEHOLDER) == PLACEHOLDER:
        options["launch_buttons"] = {}
        options["use_repository_button"] = False
        options["repository_url"] = ""


def drop_thebe(app, pagename, templatename, context, doctree):
    """Drop thebe, which declares a constant twice and names an outside host."""

    def is_thebe(asset):
        attributes = getattr(asset, "attributes", {})
        named = str(getattr(asset, "filename", asset)) + str(attributes.get("body", ""))
        return "thebe" in named.lower()

    for kind in ("script_files", "css_files"):
        context[kind] = [asset for asset in context[kind] if not is_thebe(asset)]


def setup(app):
    # Mathematics that stands only in outputs is otherwise not typeset.
    app.set_html_assets_policy("always")
    app.connect("config-inited", hide_links_without_address)
    # Late, so that the list is complete.
    app.connect("html-page-context", drop_thebe, priority=900)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
