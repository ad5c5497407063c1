"""Models in processes of their own.

``_pool`` starts the processes of one model, gives each request to one of them, and replaces those that die. On the
other side ``_main`` loads the model and ``_service`` answers. Between them is a Unix socket: ``_frames`` and ``_link``
carry frames, ``_messages`` and ``_tensors`` say what is in them, and ``_segments`` is the shared memory that large
tensors lie in. Nothing is pickled: the two sides may run different versions of Python and numpy.

What the worker's side imports needs nothing but Python 3.10 and numpy.
"""
