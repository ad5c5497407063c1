"""Several servers on the same ports, each in a process of its own.

``_supervisor`` holds the ports and keeps the processes up: ``_process`` is one of them as it sees it, ``_journal`` what
clients have changed and a new process has to be told, ``_samples`` and ``_sums`` add up what they count. On the other
side ``_child`` runs the server, and ``_peers`` is what that knows of the other processes. Between the two is a Unix
socket with JSON on it, which ``_channel`` carries and ``_messages`` describes.
"""
