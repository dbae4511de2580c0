# What `cmake --install` puts below its prefix: the program, the rooms as static libraries with their headers, and the
# package that find_package(moescope) reads. Libraries of others are not copied: the package finds them again, and the
# program looks for LibTorch and Arrow where this build found them.
include(CMakePackageConfigHelpers)
set(package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/moescope)

get_property(rooms GLOBAL PROPERTY MOESCOPE_ROOMS)
list(REMOVE_ITEM rooms cli)  # the program's own
foreach(room ${rooms})
  set_target_properties(moescope_${room} PROPERTIES EXPORT_NAME ${room})
  install(TARGETS moescope_${room} EXPORT moescopeTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
  install(DIRECTORY moescope/${room} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/moescope FILES_MATCHING PATTERN "*.h")
endforeach()
install(EXPORT moescopeTargets NAMESPACE moescope:: DESTINATION ${package_folder})

configure_package_config_file(cmake/moescopeConfig.cmake.in ${CMAKE_BINARY_DIR}/package/moescopeConfig.cmake
                              INSTALL_DESTINATION ${package_folder})
write_basic_package_version_file(${CMAKE_BINARY_DIR}/package/moescopeConfigVersion.cmake
                                 COMPATIBILITY SameMinorVersion)  # what docs/versioning.md promises before 1.0
install(FILES ${CMAKE_BINARY_DIR}/package/moescopeConfig.cmake ${CMAKE_BINARY_DIR}/package/moescopeConfigVersion.cmake
              cmake/MoescopeDependencies.cmake cmake/MoescopeTorch.cmake DESTINATION ${package_folder})

if(TARGET moescope)
  # .venv lies inside this project, so CMake would leave it out of INSTALL_RPATH_USE_LINK_PATH.
  set_target_properties(moescope PROPERTIES INSTALL_RPATH "${torch_lib};${arrow_root}")
  install(TARGETS moescope RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})

  # Made from the program's --help at that moment, so that they are never older than the program.
  set(shell_files ${CMAKE_BINARY_DIR}/shell)
  install(CODE "execute_process(COMMAND ${CMAKE_SOURCE_DIR}/tools/shell-files $<TARGET_FILE:moescope> ${shell_files}
                                COMMAND_ERROR_IS_FATAL ANY)")
  install(FILES ${shell_files}/moescope.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
  install(FILES ${shell_files}/moescope.bash DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME moescope)
  install(FILES ${shell_files}/_moescope DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions)
  install(FILES ${shell_files}/moescope.fish DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)
endif()
