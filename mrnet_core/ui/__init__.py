"""The pages' own room: the only one besides app.py and pages/ that imports streamlit."""
