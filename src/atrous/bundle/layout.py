"""File names of a bundle. The first four are read by stock Roboflow servers too."""

WEIGHTS_ONNX = "weights.onnx"
CLASS_NAMES = "class_names.txt"
INFERENCE_CONFIG = "inference_config.json"
MODEL_CONFIG = "model_config.json"
MANIFEST = "manifest.json"
WEIGHTS_TORCH = "weights.pt"
# The same network in 8 bits, for this server alone; absent where it would lose too much, and in older bundles.
WEIGHTS_INT8_ONNX = "weights.int8.onnx"

REQUIRED_FILES = (WEIGHTS_ONNX, CLASS_NAMES, INFERENCE_CONFIG, MODEL_CONFIG, WEIGHTS_TORCH)
OPTIONAL_FILES = (WEIGHTS_INT8_ONNX,)
# Of the network in `weights.onnx`; read by ONNX Runtime since 1.14, so by every stock server in use.
ONNX_OPSET = 18
