"""What a picture is: boxes, masks, cameras, exposures and the files they live in."""
