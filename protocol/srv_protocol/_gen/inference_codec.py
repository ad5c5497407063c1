# Generated from inference.proto and overlay.toml. DO NOT EDIT.
# grpcio-tools 1.81.1, ruff 0.17.6; `nox -s codegen` writes it.
# ruff: noqa

"""Codecs of the hot messages of inference.proto."""

from __future__ import annotations

from srv_protocol._codec_support import (
    HEADS,
    NotPlain,
    flat,
    install,
    merge,
    packed_encoder,
    plain_list,
    read_array,
    read_double,
    read_field,
    read_length,
    read_list,
    read_more,
    read_varint,
    set_item,
    write_double,
    write_varint,
)
from srv_protocol._gen.inference import (
    InferInputTensor,
    InferOutputTensor,
    InferRequestedOutputTensor,
    InferTensorContents,
    ModelInferRequest,
    ModelInferResponse,
    ModelStreamInferResponse,
)
from srv_protocol._packed_arrays import declare_repeated
from srv_protocol._parameters import Parameters, new_parameters
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from srv_protocol._encoding import Part
    from typing import Any

__all__ = []


def _read_InferParameter(values: Parameters, data: bytes | memoryview, pos: int, end: int) -> bool:
    """Read an entry of the usual form into `values`; return whether it has that form."""
    key = pos + 2
    middle = key + data[pos + 1]
    inner = middle + 2
    if inner >= end or end > inner + 127 or middle > key + 127:
        return False
    if data[pos] != 10 or data[middle] != 18 or data[middle + 1] != end - inner:
        return False
    name = str(data[key:middle], "utf-8")
    tag = data[inner]
    pos = inner + 1
    value: Any
    if tag == 8:
        value, pos = read_varint(data, pos, end)
        value = value != 0
        if pos != end:
            return False
    elif tag == 16:
        value, pos = read_varint(data, pos, end)
        value -= value >> 63 << 64
        if pos != end:
            return False
    elif tag == 26:
        pos += 1
        if data[pos - 1] != end - pos:
            return False
        value = str(data[pos:end], "utf-8")
    elif tag == 33:
        if end - pos != 8:
            return False
        (value,) = read_double(data, pos)
    elif tag == 40:
        value, pos = read_varint(data, pos, end)
        if pos != end:
            return False
    else:
        return False
    set_item(values, name, value)
    return True


def _write_InferParameter(key: str, value: Any) -> bytes:
    kind = value.__class__
    name = key.encode()
    if kind is bool:
        data = b"\x08\x01" if value else b"\x08\x00"
    elif kind is int and -9223372036854775808 <= value <= 9223372036854775807:
        data = b"\x10" + write_varint(value & 0xFFFF_FFFF_FFFF_FFFF)
    elif kind is str:
        data = value.encode()
        data = b"\x1a" + write_varint(len(data)) + data
    elif kind is float:
        data = b"!" + write_double(value)
    elif kind is int and 0 <= value <= 18446744073709551615:
        data = b"(" + write_varint(value)
    else:
        raise NotPlain
    return b"\n" + write_varint(len(name)) + name + b"\x12" + write_varint(len(data)) + data


def _decode_InferTensorContents(
    cls: Any, data: bytes | memoryview, view: memoryview, pos: int, end: int, depth: int
) -> Any:
    message: Any = object.__new__(cls)
    bytes_contents: list[Any] = []
    arrays: dict[str, Any] = {}
    values: dict[str, Any] = {"bytes_contents": bytes_contents, "_arrays": arrays, "_unknown_fields": b""}
    message.__dict__ = values
    unknown: list[memoryview] = []
    while pos < end:
        first = pos
        tag = data[pos]
        while tag == 10:
            start = pos + 2
            pos = start + data[start - 1]
            if pos > end or pos > start + 127:
                start, pos = read_length(view, start - 1, end)
            if "bool_contents" in arrays or "bool_contents" in values:
                read_more(message, "bool_contents", view, start, pos, "bool")
            else:
                arrays["bool_contents"] = read_array(data, start, pos, "bool")
            tag = data[pos] if pos < end else 0
        while tag == 18:
            start = pos + 2
            pos = start + data[start - 1]
            if pos > end or pos > start + 127:
                start, pos = read_length(view, start - 1, end)
            if "int_contents" in arrays or "int_contents" in values:
                read_more(message, "int_contents", view, start, pos, "int32")
            else:
                arrays["int_contents"] = read_array(data, start, pos, "int32")
            tag = data[pos] if pos < end else 0
        while tag == 26:
            start = pos + 2
            pos = start + data[start - 1]
            if pos > end or pos > start + 127:
                start, pos = read_length(view, start - 1, end)
            if "int64_contents" in arrays or "int64_contents" in values:
                read_more(message, "int64_contents", view, start, pos, "int64")
            else:
                arrays["int64_contents"] = read_array(data, start, pos, "int64")
            tag = data[pos] if pos < end else 0
        while tag == 34:
            start = pos + 2
            pos = start + data[start - 1]
            if pos > end or pos > start + 127:
                start, pos = read_length(view, start - 1, end)
            if "uint_contents" in arrays or "uint_contents" in values:
                read_more(message, "uint_contents", view, start, pos, "uint32")
            else:
                arrays["uint_contents"] = read_array(data, start, pos, "uint32")
            tag = data[pos] if pos < end else 0
        while tag == 42:
            start = pos + 2
            pos = start + data[start - 1]
            if pos > end or pos > start + 127:
                start, pos = read_length(view, start - 1, end)
            if "uint64_contents" in arrays or "uint64_contents" in values:
                read_more(message, "uint64_contents", view, start, pos, "uint64")
            else:
                arrays["uint64_contents"] = read_array(data, start, pos, "uint64")
            tag = data[pos] if pos < end else 0
        while tag == 50:
            start = pos + 2
            pos = start + data[start - 1]
            if pos > end or pos > start + 127:
                start, pos = read_length(view, start - 1, end)
            if "fp32_contents" in arrays or "fp32_contents" in values:
                read_more(message, "fp32_contents", view, start, pos, "float")
            else:
                arrays["fp32_contents"] = read_array(data, start, pos, "float")
            tag = data[pos] if pos < end else 0
        while tag == 58:
            start = pos + 2
            pos = start + data[start - 1]
            if pos > end or pos > start + 127:
                start, pos = read_length(view, start - 1, end)
            if "fp64_contents" in arrays or "fp64_contents" in values:
                read_more(message, "fp64_contents", view, start, pos, "double")
            else:
                arrays["fp64_contents"] = read_array(data, start, pos, "double")
            tag = data[pos] if pos < end else 0
        while tag == 66:
            start = pos + 2
            pos = start + data[start - 1]
            if pos > end or pos > start + 127:
                start, pos = read_length(view, start - 1, end)
            bytes_contents.append(bytes(data[start:pos]))
            tag = data[pos] if pos < end else 0
        if pos == first:
            pos = read_field(message, view, pos, end, depth, unknown)
    if unknown:
        values["_unknown_fields"] = b"".join(unknown)
    return message


_pack_InferTensorContents_bool_contents = packed_encoder("InferTensorContents.bool_contents", 1, "bool")

_pack_InferTensorContents_int_contents = packed_encoder("InferTensorContents.int_contents", 2, "int32")

_pack_InferTensorContents_int64_contents = packed_encoder("InferTensorContents.int64_contents", 3, "int64")

_pack_InferTensorContents_uint_contents = packed_encoder("InferTensorContents.uint_contents", 4, "uint32")

_pack_InferTensorContents_uint64_contents = packed_encoder("InferTensorContents.uint64_contents", 5, "uint64")

_pack_InferTensorContents_fp32_contents = packed_encoder("InferTensorContents.fp32_contents", 6, "float")

_pack_InferTensorContents_fp64_contents = packed_encoder("InferTensorContents.fp64_contents", 7, "double")


def _encode_InferTensorContents(message: Any, parts: list[Part]) -> int:
    message.check_encodable()
    size = 0
    filled = message.filled()
    if "bool_contents" in filled:
        size += _pack_InferTensorContents_bool_contents(message.elements("bool_contents"), parts)
    if "int_contents" in filled:
        size += _pack_InferTensorContents_int_contents(message.elements("int_contents"), parts)
    if "int64_contents" in filled:
        size += _pack_InferTensorContents_int64_contents(message.elements("int64_contents"), parts)
    if "uint_contents" in filled:
        size += _pack_InferTensorContents_uint_contents(message.elements("uint_contents"), parts)
    if "uint64_contents" in filled:
        size += _pack_InferTensorContents_uint64_contents(message.elements("uint64_contents"), parts)
    if "fp32_contents" in filled:
        size += _pack_InferTensorContents_fp32_contents(message.elements("fp32_contents"), parts)
    if "fp64_contents" in filled:
        size += _pack_InferTensorContents_fp64_contents(message.elements("fp64_contents"), parts)
    for item in plain_list(message.elements("bytes_contents")):
        data = item if type(item) is bytes else flat(memoryview(item))
        count = len(data)
        head = HEADS[66][count] if count < 128 else b"B" + write_varint(count)
        parts += (head, data)
        size += len(head) + count
    unknown = message._unknown_fields
    if unknown:
        parts.append(bytes(unknown))
        size += len(unknown)
    return size


def _decode_InferInputTensor(
    cls: Any, data: bytes | memoryview, view: memoryview, pos: int, end: int, depth: int
) -> Any:
    message: Any = object.__new__(cls)
    shape: list[Any] = []
    parameters = new_parameters()
    values: dict[str, Any] = {
        "name": "",
        "datatype": "",
        "shape": shape,
        "parameters": parameters,
        "contents": None,
        "_unknown_fields": b"",
    }
    message.__dict__ = values
    unknown: list[memoryview] = []
    while pos < end:
        first = pos
        tag = data[pos]
        if tag == 10:
            start = pos + 2
            pos = start + data[start - 1]
            if pos > end or pos > start + 127:
                start, pos = read_length(view, start - 1, end)
            values["name"] = str(data[start:pos], "utf-8")
            tag = data[pos] if pos < end else 0
        if tag == 18:
            start = pos + 2
            pos = start + data[start - 1]
            if pos > end or pos > start + 127:
                start, pos = read_length(view, start - 1, end)
            values["datatype"] = str(data[start:pos], "utf-8")
            tag = data[pos] if pos < end else 0
        while tag == 26:
            start = pos + 2
            pos = start + data[start - 1]
            if pos > end or pos > start + 127:
                start, pos = read_length(view, start - 1, end)
            shape.extend(read_list(data, start, pos, "int64"))
            tag = data[pos] if pos < end else 0
        while tag == 34:
            begin = pos
            start = pos + 2
            pos = start + data[start - 1]
            if pos > end or pos > start + 127:
                start, pos = read_length(view, start - 1, end)
            if not _read_InferParameter(parameters, data, start, pos):
                pos = read_field(message, view, begin, end, depth, unknown)
            tag = data[pos] if pos < end else 0
        if tag == 42:
            start = pos + 2
            pos = start + data[start - 1]
            if pos > end or pos > start + 127:
                start, pos = read_length(view, start - 1, end)
            if values["contents"] is None:
                values["contents"] = _decode_InferTensorContents(InferTensorContents, data, view, start, pos, depth + 1)
            else:
                merge(values["contents"], view, start, pos, depth + 1)
            tag = data[pos] if pos < end else 0
        if pos == first:
            pos = read_field(message, view, pos, end, depth, unknown)
    if unknown:
        values["_unknown_fields"] = b"".join(unknown)
    return message


_pack_InferInputTensor_shape = packed_encoder("InferInputTensor.shape", 3, "int64")


def _encode_InferInputTensor(message: Any, parts: list[Part]) -> int:
    message.check_encodable()
    size = 0
    data = message.name.encode()
    if data:
        count = len(data)
        data = (HEADS[10][count] if count < 128 else b"\n" + write_varint(count)) + data
        parts.append(data)
        size += len(data)
    data = message.datatype.encode()
    if data:
        count = len(data)
        data = (HEADS[18][count] if count < 128 else b"\x12" + write_varint(count)) + data
        parts.append(data)
        size += len(data)
    size += _pack_InferInputTensor_shape(message.shape, parts)
    for key, item in message.parameters.items():
        data = _write_InferParameter(key, item)
        count = len(data)
        data = (HEADS[34][count] if count < 128 else b'"' + write_varint(count)) + data
        parts.append(data)
        size += len(data)
    item = message.contents
    if item is not None:
        if type(item) is not InferTensorContents:
            raise NotPlain
        index = len(parts)
        parts.append(b"")
        count = _encode_InferTensorContents(item, parts)
        head = HEADS[42][count] if count < 128 else b"*" + write_varint(count)
        parts[index] = head
        size += len(head) + count
    unknown = message._unknown_fields
    if unknown:
        parts.append(bytes(unknown))
        size += len(unknown)
    return size


def _decode_InferRequestedOutputTensor(
    cls: Any, data: bytes | memoryview, view: memoryview, pos: int, end: int, depth: int
) -> Any:
    message: Any = object.__new__(cls)
    parameters = new_parameters()
    values: dict[str, Any] = {"name": "", "parameters": parameters, "_unknown_fields": b""}
    message.__dict__ = values
    unknown: list[memoryview] = []
    while pos < end:
        first = pos
        tag = data[pos]
        if tag == 10:
            start = pos + 2
            pos = start + data[start - 1]
            if pos > end or pos > start + 127:
                start, pos = read_length(view, start - 1, end)
            values["name"] = str(data[start:pos], "utf-8")
            tag = data[pos] if pos < end else 0
        while tag == 18:
            begin = pos
            start = pos + 2
            pos = start + data[start - 1]
            if pos > end or pos > start + 127:
                start, pos = read_length(view, start - 1, end)
            if not _read_InferParameter(parameters, data, start, pos):
                pos = read_field(message, view, begin, end, depth, unknown)
            tag = data[pos] if pos < end else 0
        if pos == first:
            pos = read_field(message, view, pos, end, depth, unknown)
    if unknown:
        values["_unknown_fields"] = b"".join(unknown)
    return message


def _encode_InferRequestedOutputTensor(message: Any, parts: list[Part]) -> int:
    message.check_encodable()
    size = 0
    data = message.name.encode()
    if data:
        count = len(data)
        data = (HEADS[10][count] if count < 128 else b"\n" + write_varint(count)) + data
        parts.append(data)
        size += len(data)
    for key, item in message.parameters.items():
        data = _write_InferParameter(key, item)
        count = len(data)
        data = (HEADS[18][count] if count < 128 else b"\x12" + write_varint(count)) + data
        parts.append(data)
        size += len(data)
    unknown = message._unknown_fields
    if unknown:
        parts.append(bytes(unknown))
        size += len(unknown)
    return size


def _decode_ModelInferRequest(
    cls: Any, data: bytes | memoryview, view: memoryview, pos: int, end: int, depth: int
) -> Any:
    message: Any = object.__new__(cls)
    inputs: list[Any] = []
    outputs: list[Any] = []
    raw_input_contents: list[Any] = []
    parameters = new_parameters()
    values: dict[str, Any] = {
        "model_name": "",
        "model_version": "",
        "id": "",
        "parameters": parameters,
        "inputs": inputs,
        "outputs": outputs,
        "raw_input_contents": raw_input_contents,
        "_unknown_fields": b"",
    }
    message.__dict__ = values
    unknown: list[memoryview] = []
    while pos < end:
        first = pos
        tag = data[pos]
        if tag == 10:
            start = pos + 2
            pos = start + data[start - 1]
            if pos > end or pos > start + 127:
                start, pos = read_length(view, start - 1, end)
            values["model_name"] = str(data[start:pos], "utf-8")
            tag = data[pos] if pos < end else 0
        if tag == 18:
            start = pos + 2
            pos = start + data[start - 1]
            if pos > end or pos > start + 127:
                start, pos = read_length(view, start - 1, end)
            values["model_version"] = str(data[start:pos], "utf-8")
            tag = data[pos] if pos < end else 0
        if tag == 26:
            start = pos + 2
            pos = start + data[start - 1]
            if pos > end or pos > start + 127:
                start, pos = read_length(view, start - 1, end)
            values["id"] = str(data[start:pos], "utf-8")
            tag = data[pos] if pos < end else 0
        while tag == 34:
            begin = pos
            start = pos + 2
            pos = start + data[start - 1]
            if pos > end or pos > start + 127:
                start, pos = read_length(view, start - 1, end)
            if not _read_InferParameter(parameters, data, start, pos):
                pos = read_field(message, view, begin, end, depth, unknown)
            tag = data[pos] if pos < end else 0
        while tag == 42:
            start = pos + 2
            pos = start + data[start - 1]
            if pos > end or pos > start + 127:
                start, pos = read_length(view, start - 1, end)
            inputs.append(_decode_InferInputTensor(InferInputTensor, data, view, start, pos, depth + 1))
            tag = data[pos] if pos < end else 0
        while tag == 50:
            start = pos + 2
            pos = start + data[start - 1]
            if pos > end or pos > start + 127:
                start, pos = read_length(view, start - 1, end)
            outputs.append(
                _decode_InferRequestedOutputTensor(InferRequestedOutputTensor, data, view, start, pos, depth + 1)
            )
            tag = data[pos] if pos < end else 0
        while tag == 58:
            start = pos + 2
            pos = start + data[start - 1]
            if pos > end or pos > start + 127:
                start, pos = read_length(view, start - 1, end)
            raw_input_contents.append(view[start:pos])
            tag = data[pos] if pos < end else 0
        if pos == first:
            pos = read_field(message, view, pos, end, depth, unknown)
    if unknown:
        values["_unknown_fields"] = b"".join(unknown)
    return message


def _encode_ModelInferRequest(message: Any, parts: list[Part]) -> int:
    message.check_encodable()
    size = 0
    data = message.model_name.encode()
    if data:
        count = len(data)
        data = (HEADS[10][count] if count < 128 else b"\n" + write_varint(count)) + data
        parts.append(data)
        size += len(data)
    data = message.model_version.encode()
    if data:
        count = len(data)
        data = (HEADS[18][count] if count < 128 else b"\x12" + write_varint(count)) + data
        parts.append(data)
        size += len(data)
    data = message.id.encode()
    if data:
        count = len(data)
        data = (HEADS[26][count] if count < 128 else b"\x1a" + write_varint(count)) + data
        parts.append(data)
        size += len(data)
    for key, item in message.parameters.items():
        data = _write_InferParameter(key, item)
        count = len(data)
        data = (HEADS[34][count] if count < 128 else b'"' + write_varint(count)) + data
        parts.append(data)
        size += len(data)
    for item in plain_list(message.inputs):
        if type(item) is not InferInputTensor:
            raise NotPlain
        index = len(parts)
        parts.append(b"")
        count = _encode_InferInputTensor(item, parts)
        head = HEADS[42][count] if count < 128 else b"*" + write_varint(count)
        parts[index] = head
        size += len(head) + count
    for item in plain_list(message.outputs):
        if type(item) is not InferRequestedOutputTensor:
            raise NotPlain
        index = len(parts)
        parts.append(b"")
        count = _encode_InferRequestedOutputTensor(item, parts)
        head = HEADS[50][count] if count < 128 else b"2" + write_varint(count)
        parts[index] = head
        size += len(head) + count
    for item in plain_list(message.raw_input_contents):
        data = item if type(item) is bytes else flat(memoryview(item))
        count = len(data)
        head = HEADS[58][count] if count < 128 else b":" + write_varint(count)
        parts += (head, data)
        size += len(head) + count
    unknown = message._unknown_fields
    if unknown:
        parts.append(bytes(unknown))
        size += len(unknown)
    return size


def _decode_InferOutputTensor(
    cls: Any, data: bytes | memoryview, view: memoryview, pos: int, end: int, depth: int
) -> Any:
    message: Any = object.__new__(cls)
    shape: list[Any] = []
    parameters = new_parameters()
    values: dict[str, Any] = {
        "name": "",
        "datatype": "",
        "shape": shape,
        "parameters": parameters,
        "contents": None,
        "_unknown_fields": b"",
    }
    message.__dict__ = values
    unknown: list[memoryview] = []
    while pos < end:
        first = pos
        tag = data[pos]
        if tag == 10:
            start = pos + 2
            pos = start + data[start - 1]
            if pos > end or pos > start + 127:
                start, pos = read_length(view, start - 1, end)
            values["name"] = str(data[start:pos], "utf-8")
            tag = data[pos] if pos < end else 0
        if tag == 18:
            start = pos + 2
            pos = start + data[start - 1]
            if pos > end or pos > start + 127:
                start, pos = read_length(view, start - 1, end)
            values["datatype"] = str(data[start:pos], "utf-8")
            tag = data[pos] if pos < end else 0
        while tag == 26:
            start = pos + 2
            pos = start + data[start - 1]
            if pos > end or pos > start + 127:
                start, pos = read_length(view, start - 1, end)
            shape.extend(read_list(data, start, pos, "int64"))
            tag = data[pos] if pos < end else 0
        while tag == 34:
            begin = pos
            start = pos + 2
            pos = start + data[start - 1]
            if pos > end or pos > start + 127:
                start, pos = read_length(view, start - 1, end)
            if not _read_InferParameter(parameters, data, start, pos):
                pos = read_field(message, view, begin, end, depth, unknown)
            tag = data[pos] if pos < end else 0
        if tag == 42:
            start = pos + 2
            pos = start + data[start - 1]
            if pos > end or pos > start + 127:
                start, pos = read_length(view, start - 1, end)
            if values["contents"] is None:
                values["contents"] = _decode_InferTensorContents(InferTensorContents, data, view, start, pos, depth + 1)
            else:
                merge(values["contents"], view, start, pos, depth + 1)
            tag = data[pos] if pos < end else 0
        if pos == first:
            pos = read_field(message, view, pos, end, depth, unknown)
    if unknown:
        values["_unknown_fields"] = b"".join(unknown)
    return message


_pack_InferOutputTensor_shape = packed_encoder("InferOutputTensor.shape", 3, "int64")


def _encode_InferOutputTensor(message: Any, parts: list[Part]) -> int:
    message.check_encodable()
    size = 0
    data = message.name.encode()
    if data:
        count = len(data)
        data = (HEADS[10][count] if count < 128 else b"\n" + write_varint(count)) + data
        parts.append(data)
        size += len(data)
    data = message.datatype.encode()
    if data:
        count = len(data)
        data = (HEADS[18][count] if count < 128 else b"\x12" + write_varint(count)) + data
        parts.append(data)
        size += len(data)
    size += _pack_InferOutputTensor_shape(message.shape, parts)
    for key, item in message.parameters.items():
        data = _write_InferParameter(key, item)
        count = len(data)
        data = (HEADS[34][count] if count < 128 else b'"' + write_varint(count)) + data
        parts.append(data)
        size += len(data)
    item = message.contents
    if item is not None:
        if type(item) is not InferTensorContents:
            raise NotPlain
        index = len(parts)
        parts.append(b"")
        count = _encode_InferTensorContents(item, parts)
        head = HEADS[42][count] if count < 128 else b"*" + write_varint(count)
        parts[index] = head
        size += len(head) + count
    unknown = message._unknown_fields
    if unknown:
        parts.append(bytes(unknown))
        size += len(unknown)
    return size


def _decode_ModelInferResponse(
    cls: Any, data: bytes | memoryview, view: memoryview, pos: int, end: int, depth: int
) -> Any:
    message: Any = object.__new__(cls)
    outputs: list[Any] = []
    raw_output_contents: list[Any] = []
    parameters = new_parameters()
    values: dict[str, Any] = {
        "model_name": "",
        "model_version": "",
        "id": "",
        "parameters": parameters,
        "outputs": outputs,
        "raw_output_contents": raw_output_contents,
        "_unknown_fields": b"",
    }
    message.__dict__ = values
    unknown: list[memoryview] = []
    while pos < end:
        first = pos
        tag = data[pos]
        if tag == 10:
            start = pos + 2
            pos = start + data[start - 1]
            if pos > end or pos > start + 127:
                start, pos = read_length(view, start - 1, end)
            values["model_name"] = str(data[start:pos], "utf-8")
            tag = data[pos] if pos < end else 0
        if tag == 18:
            start = pos + 2
            pos = start + data[start - 1]
            if pos > end or pos > start + 127:
                start, pos = read_length(view, start - 1, end)
            values["model_version"] = str(data[start:pos], "utf-8")
            tag = data[pos] if pos < end else 0
        if tag == 26:
            start = pos + 2
            pos = start + data[start - 1]
            if pos > end or pos > start + 127:
                start, pos = read_length(view, start - 1, end)
            values["id"] = str(data[start:pos], "utf-8")
            tag = data[pos] if pos < end else 0
        while tag == 34:
            begin = pos
            start = pos + 2
            pos = start + data[start - 1]
            if pos > end or pos > start + 127:
                start, pos = read_length(view, start - 1, end)
            if not _read_InferParameter(parameters, data, start, pos):
                pos = read_field(message, view, begin, end, depth, unknown)
            tag = data[pos] if pos < end else 0
        while tag == 42:
            start = pos + 2
            pos = start + data[start - 1]
            if pos > end or pos > start + 127:
                start, pos = read_length(view, start - 1, end)
            outputs.append(_decode_InferOutputTensor(InferOutputTensor, data, view, start, pos, depth + 1))
            tag = data[pos] if pos < end else 0
        while tag == 50:
            start = pos + 2
            pos = start + data[start - 1]
            if pos > end or pos > start + 127:
                start, pos = read_length(view, start - 1, end)
            raw_output_contents.append(view[start:pos])
            tag = data[pos] if pos < end else 0
        if pos == first:
            pos = read_field(message, view, pos, end, depth, unknown)
    if unknown:
        values["_unknown_fields"] = b"".join(unknown)
    return message


def _encode_ModelInferResponse(message: Any, parts: list[Part]) -> int:
    message.check_encodable()
    size = 0
    data = message.model_name.encode()
    if data:
        count = len(data)
        data = (HEADS[10][count] if count < 128 else b"\n" + write_varint(count)) + data
        parts.append(data)
        size += len(data)
    data = message.model_version.encode()
    if data:
        count = len(data)
        data = (HEADS[18][count] if count < 128 else b"\x12" + write_varint(count)) + data
        parts.append(data)
        size += len(data)
    data = message.id.encode()
    if data:
        count = len(data)
        data = (HEADS[26][count] if count < 128 else b"\x1a" + write_varint(count)) + data
        parts.append(data)
        size += len(data)
    for key, item in message.parameters.items():
        data = _write_InferParameter(key, item)
        count = len(data)
        data = (HEADS[34][count] if count < 128 else b'"' + write_varint(count)) + data
        parts.append(data)
        size += len(data)
    for item in plain_list(message.outputs):
        if type(item) is not InferOutputTensor:
            raise NotPlain
        index = len(parts)
        parts.append(b"")
        count = _encode_InferOutputTensor(item, parts)
        head = HEADS[42][count] if count < 128 else b"*" + write_varint(count)
        parts[index] = head
        size += len(head) + count
    for item in plain_list(message.raw_output_contents):
        data = item if type(item) is bytes else flat(memoryview(item))
        count = len(data)
        head = HEADS[50][count] if count < 128 else b"2" + write_varint(count)
        parts += (head, data)
        size += len(head) + count
    unknown = message._unknown_fields
    if unknown:
        parts.append(bytes(unknown))
        size += len(unknown)
    return size


def _decode_ModelStreamInferResponse(
    cls: Any, data: bytes | memoryview, view: memoryview, pos: int, end: int, depth: int
) -> Any:
    message: Any = object.__new__(cls)
    values: dict[str, Any] = {"error_message": "", "infer_response": None, "_unknown_fields": b""}
    message.__dict__ = values
    unknown: list[memoryview] = []
    while pos < end:
        first = pos
        tag = data[pos]
        if tag == 10:
            start = pos + 2
            pos = start + data[start - 1]
            if pos > end or pos > start + 127:
                start, pos = read_length(view, start - 1, end)
            values["error_message"] = str(data[start:pos], "utf-8")
            tag = data[pos] if pos < end else 0
        if tag == 18:
            start = pos + 2
            pos = start + data[start - 1]
            if pos > end or pos > start + 127:
                start, pos = read_length(view, start - 1, end)
            if values["infer_response"] is None:
                values["infer_response"] = _decode_ModelInferResponse(
                    ModelInferResponse, data, view, start, pos, depth + 1
                )
            else:
                merge(values["infer_response"], view, start, pos, depth + 1)
            tag = data[pos] if pos < end else 0
        if pos == first:
            pos = read_field(message, view, pos, end, depth, unknown)
    if unknown:
        values["_unknown_fields"] = b"".join(unknown)
    return message


def _encode_ModelStreamInferResponse(message: Any, parts: list[Part]) -> int:
    message.check_encodable()
    size = 0
    data = message.error_message.encode()
    if data:
        count = len(data)
        data = (HEADS[10][count] if count < 128 else b"\n" + write_varint(count)) + data
        parts.append(data)
        size += len(data)
    item = message.infer_response
    if item is not None:
        if type(item) is not ModelInferResponse:
            raise NotPlain
        index = len(parts)
        parts.append(b"")
        count = _encode_ModelInferResponse(item, parts)
        head = HEADS[18][count] if count < 128 else b"\x12" + write_varint(count)
        parts[index] = head
        size += len(head) + count
    unknown = message._unknown_fields
    if unknown:
        parts.append(bytes(unknown))
        size += len(unknown)
    return size


declare_repeated(
    InferTensorContents,
    [
        "bool_contents",
        "int_contents",
        "int64_contents",
        "uint_contents",
        "uint64_contents",
        "fp32_contents",
        "fp64_contents",
        "bytes_contents",
    ],
)
install(InferTensorContents, _decode_InferTensorContents, _encode_InferTensorContents)
install(InferInputTensor, _decode_InferInputTensor, _encode_InferInputTensor)
install(InferRequestedOutputTensor, _decode_InferRequestedOutputTensor, _encode_InferRequestedOutputTensor)
install(ModelInferRequest, _decode_ModelInferRequest, _encode_ModelInferRequest)
install(InferOutputTensor, _decode_InferOutputTensor, _encode_InferOutputTensor)
install(ModelInferResponse, _decode_ModelInferResponse, _encode_ModelInferResponse)
install(ModelStreamInferResponse, _decode_ModelStreamInferResponse, _encode_ModelStreamInferResponse)
