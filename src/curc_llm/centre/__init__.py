"""What a centre's staff run: does the installation fit the site file, does a session keep its promises."""
