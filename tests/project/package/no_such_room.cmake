find_package(moescope REQUIRED COMPONENTS no_such_room)  # must be refused
