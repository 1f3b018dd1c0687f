"""A page opened by its address in Streamlit's own test runner, and what it says."""

from pathlib import Path

from streamlit.testing.v1 import AppTest

PAGES = Path(__file__).resolve().parents[2] / "pages"


def open_page(name: str, timeout: float = 90, **address: str) -> AppTest:
    """The page ``pages/<name>.py`` after its first run, which raised nothing."""
    page = AppTest.from_file(str(PAGES / f"{name}.py"), default_timeout=timeout)
    for key, value in address.items():
        page.query_params[key] = value
    page.run()
    assert not page.exception
    return page


def words(page: AppTest) -> str:
    """Everything that the page says in HTML of its own."""
    return "\n".join(element.proto.body for element in page.get("html"))
