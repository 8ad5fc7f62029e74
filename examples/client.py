"""What a user of the server writes: a picture to a project's model, an annotated picture back.

usage: python client.py --api-url http://localhost:9001 --model-id road/1 --image street.jpg --out annotated.png
The key is read from the environment variable API_KEY.

Needs `pip install inference-sdk supervision`, nothing of Atrous.
"""

import argparse
import base64
import os

import cv2
import numpy as np
import supervision as sv
from inference_sdk import InferenceHTTPClient


def read_mask(predictions: dict) -> np.ndarray:
    """Decode `segmentation_mask`: base64 of a grey PNG whose pixels are class ids, 0 is background."""
    png = base64.b64decode(predictions["segmentation_mask"])
    return cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_GRAYSCALE)


def split_by_class(mask_HW: np.ndarray, class_map: dict[str, str]) -> sv.Detections:
    """One row for each class in the mask, background left out."""
    class_ids = [class_id for class_id in np.unique(mask_HW).tolist() if class_id]
    if not class_ids:
        return sv.Detections.empty()
    masks_NHW = np.stack([mask_HW == class_id for class_id in class_ids])
    names = np.array([class_map[str(class_id)] for class_id in class_ids])
    return sv.Detections(
        xyxy=sv.mask_to_xyxy(masks_NHW).astype(float),
        mask=masks_NHW,
        class_id=np.array(class_ids),
        data={"class_name": names},
    )


def main() -> None:
    """Ask the server and draw its answer."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--api-url", default="http://localhost:9001")
    parser.add_argument("--model-id", required=True)
    parser.add_argument("--image", required=True)
    parser.add_argument("--out", required=True)
    given = parser.parse_args()

    image = cv2.imread(given.image)
    client = InferenceHTTPClient(api_url=given.api_url, api_key=os.getenv("API_KEY"))
    predictions = client.infer(image, model_id=given.model_id)["predictions"]

    detections = split_by_class(read_mask(predictions), predictions["class_map"])
    annotated = sv.MaskAnnotator().annotate(scene=image.copy(), detections=detections)
    annotated = sv.LabelAnnotator().annotate(scene=annotated, detections=detections)
    cv2.imwrite(given.out, annotated)
    print(f"{len(detections)} classes: {', '.join(detections.data.get('class_name', []))}")


if __name__ == "__main__":
    main()
