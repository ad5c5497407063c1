"""The generator: ``.proto`` files and an overlay in, Python modules out. Build time only.

    _protoc     runs protoc, gives descriptors
    _overlay    reads what protobuf cannot say
    _ir         the dataclasses in between
    _parse      descriptors + overlay -> IR
    _messages, _codecs, _services, _views, _descriptors
                IR -> the text of a module
    _generate   all of it; formats, then writes or compares

Every step is pure but the last. It imports no other package of the project.
"""
