"""JupyterLite asks for a package manager. This one installs nothing: everything is here."""


async def get_transformed_code(_):
    """Return what is run in place of `%pip`."""
    return "print('Nothing can be installed here; what the lessons need is here already.')"
