"""A labelled set of personal data: `values` makes what is to be found, `lookalikes` what is not.

`documents` puts both into texts. Values are made from the standards of their kinds, and from nothing of the
detector: no list, no pattern and no code of it is used here.
"""
