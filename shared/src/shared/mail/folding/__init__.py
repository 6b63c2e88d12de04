"""Quoted history and signatures in a mail's text (`folds`), with tables of words by language."""
