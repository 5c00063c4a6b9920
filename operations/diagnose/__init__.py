"""What a maintainer asks for when something is wrong, in one archive that holds no secret."""
