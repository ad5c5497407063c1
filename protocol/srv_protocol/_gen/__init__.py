"""Written by ``nox -s codegen``; import the public modules beside this package instead."""
