"""Reads an exported file with the onnx package and runs it with onnxruntime: code that shares nothing with ours.

usage: crosscheck.py MODEL.onnx INPUT.f32 N    -> one JSON object; INPUT holds [N,3,H,W] f32
"""
import json
import sys

import numpy as np
import onnx
import onnxruntime

path, raw, n = sys.argv[1], sys.argv[2], int(sys.argv[3])
model = onnx.load(path)
onnx.checker.check_model(model, full_check=True)


def value(v):
    return {"name": v.name, "type": onnx.TensorProto.DataType.Name(v.type.tensor_type.elem_type),
            "shape": [d.dim_param or d.dim_value for d in v.type.tensor_type.shape.dim]}


session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
feed = session.get_inputs()[0]
x = np.fromfile(raw, dtype=np.float32).reshape(n, *feed.shape[1:])
print(json.dumps({
    "ir": model.ir_version,
    "opset": {o.domain: o.version for o in model.opset_import},
    "ops": sorted({node.op_type for node in model.graph.node}),
    "first_nodes": [node.name for node in model.graph.node[:8]],
    "prelu_slopes": sorted({len(t.dims) for t in model.graph.initializer
                            for node in model.graph.node if node.op_type == "PRelu" and t.name == node.input[1]}),
    "inputs": [value(v) for v in model.graph.input],
    "outputs": [value(v) for v in model.graph.output],
    "external": [t.name for t in model.graph.initializer if t.data_location == onnx.TensorProto.EXTERNAL],
    "metadata": {p.key: p.value for p in model.metadata_props},
    "embeddings": session.run(None, {feed.name: x})[0].astype(float).tolist(),
}))
