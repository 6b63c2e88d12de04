"""What several levels of tests share: real servers, builders, patience. Imported as `tests.kit`, never from a conftest."""
