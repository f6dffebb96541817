"""What a data set, and what can be converted into one, looks like on disk. Part of the Data page."""

import streamlit as st

TREE = """dataset.json
frames.csv
areas.geojson
walk/rgb/000123.jpg
walk/depth/000123.png
walk/reflectance/000123.png
walk/semantics/000123.png"""
TABLE = """frame,split,lat,lon
walk/000123,train,48.8041,2.2910
walk/000124,test,48.8043,2.2913"""
MANIFEST = """{"name": "My walk",
 "licence": "CC-BY-4.0",
 "modalities": {"depth":
  {"near_m": 1, "far_m": 100}}}"""
TREE_SAYS = (
    "The modalities and areas.geojson are optional. Depth is a 16-bit PNG, metres × 256, 0 where nothing was measured; "
    "reflectance 8-bit, 0 to 255; semantics 8-bit class ids. Indoors give easting_m and northing_m instead of lat and "
    "lon."
)


PHOTOS = """IMG_0001.jpg
IMG_0002.jpg
evening/IMG_0107.jpg
positions.csv"""
POSITIONS = """filename,latitude,longitude,role
IMG_0001.jpg,48.8041,2.2910,database
IMG_0107.jpg,48.8043,2.2913,query"""
PHOTOS_SAY = (
    "The table is not needed where the photographs have GPS in their EXIF. Without a column role or split, an even "
    "share is asked and the others are the database; altitude, time and heading are optional. Whatever is left out is "
    "named with its reason."
)
BENCHMARK = """database/@0448000.00@5405000.00@31@U@…@.jpg
database/@0448020.00@5405000.00@31@U@…@.jpg
queries/@0448003.50@5405001.20@31@U@…@.jpg
queries_night/@0448004.10@5405000.70@31@U@…@.jpg"""
FIELDS = """@easting@northing@zone number@zone letter
@latitude@longitude@pano id@tile@heading
@pitch@roll@height@timestamp@note@.jpg"""
BENCHMARK_SAYS = (
    "Easting and northing in metres are needed, the rest may be empty; the letter is a latitude band. queries_night/ "
    "becomes a condition of its own."
)
RECORDING = """frame-000000.color.jpg
frame-000000.depth.png
frame-000000.pose.txt
camera-intrinsics.txt"""
POSE = """1 0 0 0.25
0 1 0 0.00
0 0 1 1.50
0 0 0 1"""
RECORDING_SAYS = (
    "The pose takes the camera (x right, y down, z forward) to the world, in metres; y of the world is down."
)
ROBOTCAR = """2014-12-09-13-21-02/
  stereo/centre/*.png
  lms_front/*.bin
  gps/ins.csv
  tags.csv
models/stereo_narrow_left*
extrinsics/*.txt"""
ROBOTCAR_SAYS = (
    "One folder a traversal, its pictures and scans named by their microseconds. models/ and extrinsics/ come with the "
    "dataset's SDK; rtk.csv, vo/vo.csv and ldmrs/ are used where they are asked for. The tags (sun, rain, night) "
    "become the condition; without them it is unknown."
)
DRIVE = """2011_09_26/calib_cam_to_cam.txt
2011_09_26/calib_velo_to_cam.txt
2011_09_26/calib_imu_to_velo.txt
2011_09_26/2011_09_26_drive_0001_sync/
  image_02/data/0000000000.png
  velodyne_points/data/0000000000.bin
  oxts/data/0000000000.txt"""
SEQUENCE = """sequences/00/image_2/000000.png
sequences/00/velodyne/000000.bin
sequences/00/calib.txt
sequences/00/times.txt
poses/00.txt"""
OBJECTS = """training/image_2/000000.png
training/velodyne/000000.bin
training/calib/000000.txt"""
KITTI_SAYS = (
    "Give the folder that holds image_02/ or image_2/. A drive's frames are placed by its GPS, a sequence's by its "
    "poses in metres; object folders have none, so that no two frames show the same place."
)
Part = tuple[str, str, str | None]
FORMATS: dict[str, tuple[str, tuple[Part, ...], str]] = {
    "Photographs": (
        "What photographs may come with",
        (("The folder", PHOTOS, None), ("positions.csv", POSITIONS, None)),
        PHOTOS_SAY,
    ),
    "Benchmark": (
        "What a benchmark looks like",
        (("The folder", BENCHMARK, None), ("A name", FIELDS, None)),
        BENCHMARK_SAYS,
    ),
    "RGB-D": ("What a recording looks like", (("The folder", RECORDING, None), ("A pose", POSE, None)), RECORDING_SAYS),
    "KITTI": (
        "What a KITTI recording looks like",
        (("Raw", DRIVE, None), ("Odometry", SEQUENCE, None), ("Object", OBJECTS, None)),
        KITTI_SAYS,
    ),
    "RobotCar": ("What RobotCar's folder looks like", (("The folder", ROBOTCAR, None),), ROBOTCAR_SAYS),
}
OURS = (
    "What a data set looks like",
    (("The folder", TREE, None), ("frames.csv", TABLE, None), ("dataset.json", MANIFEST, "json")),
    TREE_SAYS,
)


def draw(way: str) -> None:
    """What the way in of this label expects: our format, unless it is converted from another."""
    title, parts, words = FORMATS.get(way, OURS)
    with st.expander(title, expanded=True, icon=":material/folder_open:"):
        for name, text, language in parts:
            st.caption(name)
            st.code(text, language)
        st.caption(words)
