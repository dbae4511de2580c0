"""Makes tests/fixtures/io with the reference libraries (safetensors, pyarrow, zstandard of pyarrow, gzip).

Run by hand: python tests/reference/make_io_fixtures.py [FOLDER]. Deterministic; needs torch, safetensors and pyarrow.
"""

import gzip
import json
import pathlib
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import torch
from safetensors import safe_open
from safetensors.torch import save_file

OUT = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent.parent / "fixtures/io")


METADATA = {"note": "äöü"}  # one key: the reference writer orders several at random


def safetensors_fixture():
    generator = torch.Generator().manual_seed(1)
    dtypes = [torch.bool, torch.uint8, torch.int8, torch.int16, torch.uint16, torch.int32, torch.uint32, torch.int64,
              torch.uint64, torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.complex64,
              torch.float8_e4m3fn, torch.float8_e5m2]
    tensors = {}
    for dtype in dtypes:
        width = torch.empty((), dtype=dtype).element_size()
        raw = torch.randint(0, 2 if dtype == torch.bool else 256, (3, 2 * width), generator=generator, dtype=torch.uint8)
        tensors[f"layer.{str(dtype).split('.')[1]}"] = raw.view(dtype).reshape(3, 2)
    tensors["scalar"] = torch.tensor(1.5)
    tensors["empty"] = torch.empty(0, 4)
    path = OUT / "reference.safetensors"
    save_file(tensors, path, metadata=METADATA)
    expected = {"metadata": METADATA, "tensors": {}}
    with safe_open(path, "pt") as file:
        for name in file.keys():
            tensor, view = file.get_tensor(name), file.get_slice(name)
            raw = tensor.contiguous().reshape(-1).view(torch.uint8).tolist()
            expected["tensors"][name] = {"dtype": view.get_dtype(), "shape": list(tensor.shape), "bytes": raw}
    (OUT / "reference.safetensors.json").write_text(json.dumps(expected, ensure_ascii=False, sort_keys=True) + "\n")


# The documents of every packed fixture; tests/io/documents_test.cc knows them.
RECORDS = [{"text": f"Text {i}: äöü \U0001d70b\n" + "lorem ipsum " * i, "meta": {"pile_set_name": "ABC"[i % 3]}, "n": i}
           for i in range(20)]


def packed_fixtures():
    lines = [json.dumps(record, ensure_ascii=i % 2 == 0).encode() + b"\n" for i, record in enumerate(RECORDS)]
    first, second = b"".join(lines[:7]), b"".join(lines[7:])
    (OUT / "two_members.jsonl.gz").write_bytes(gzip.compress(first, mtime=0) + gzip.compress(second, mtime=0))
    codec = pa.Codec("zstd")
    frames = codec.compress(first, asbytes=True) + codec.compress(second, asbytes=True)
    (OUT / "two_frames.jsonl.zst").write_bytes(frames)
    (OUT / "array.json.gz").write_bytes(gzip.compress(json.dumps(RECORDS, indent=1).encode(), mtime=0))


def parquet_fixtures():
    texts = [record["text"] for record in RECORDS]
    metas = [record["meta"] for record in RECORDS]
    kinds = {
        "struct_meta": (pa.array(texts, pa.string()), pa.array(metas)),
        "json_meta": (pa.array(texts, pa.large_string()), pa.array([json.dumps(meta) for meta in metas])),
        "coded": (pa.array(texts, pa.string()).dictionary_encode(), pa.array([None] * len(texts), pa.string())),
    }
    for name, (text, meta) in kinds.items():
        table = pa.table({"n": list(range(len(texts))), "text": text, "meta": meta})
        pq.write_table(table, OUT / f"{name}.parquet", row_group_size=7, compression="zstd")
    nulls = pa.table({"text": pa.array(["a", None, "", "b"]), "number": [1, 2, 3, 4]})
    pq.write_table(nulls, OUT / "nulls.parquet", compression="snappy")
    tagged = pa.table({
        "words": pa.array([["The", "cat", "."], ["a"], [], ["x", "y"]], pa.list_(pa.string())),
        "tags": pa.array([["DET", "NOUN", "PUNCT"], ["DET", "NOUN"], [], ["X", "X"]], pa.list_(pa.string())),
        "text": pa.array(["The cat.", None, None, None]),
        "number": [1, 2, 3, 4],
    })
    pq.write_table(tagged, OUT / "tagged.parquet", row_group_size=3)


OUT.mkdir(parents=True, exist_ok=True)
safetensors_fixture()
packed_fixtures()
parquet_fixtures()
