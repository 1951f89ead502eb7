# Packages for Debian: `pawl`, and `pawl-dev` with what plugin authors need.  What belongs to which is said where it is
# installed (the component of a directory is `program`, of sdk/ it is `dev`).  `make package` builds them for /usr.
# The same source and SOURCE_DATE_EPOCH give the same bytes, wherever they are built (tests/package/reproducible.sh).

# The scripts are asked of the program itself, so that they know what it knows.
if(EXISTS ${PROJECT_SOURCE_DIR}/core/cli/cmd_completion.c AND NOT CMAKE_CROSSCOMPILING)
	set(completions ${PROJECT_BINARY_DIR}/completions)
	set(places bash ${CMAKE_INSTALL_DATADIR}/bash-completion/completions pawl
		zsh ${CMAKE_INSTALL_DATADIR}/zsh/vendor-completions _pawl
		fish ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d pawl.fish)
	foreach(at 0 3 6)
		math(EXPR at_dir "${at} + 1")
		math(EXPR at_name "${at} + 2")
		list(GET places ${at} shell)
		list(GET places ${at_dir} dir)
		list(GET places ${at_name} name)
		set(script ${completions}/${shell}/${name})
		file(MAKE_DIRECTORY ${completions}/${shell})
		add_custom_command(OUTPUT ${script} COMMAND pawl completion ${shell} > ${script} DEPENDS pawl VERBATIM)
		list(APPEND scripts ${script})
		install(FILES ${script} DESTINATION ${dir})
	endforeach()
	add_custom_target(completions ALL DEPENDS ${scripts})
	add_dependencies(program completions)
endif()

find_program(PAWL_GZIP gzip REQUIRED)
add_custom_command(OUTPUT ${PROJECT_BINARY_DIR}/changelog.gz
	COMMAND ${PAWL_GZIP} -9nc ${PROJECT_SOURCE_DIR}/CHANGELOG.md > ${PROJECT_BINARY_DIR}/changelog.gz
	DEPENDS ${PROJECT_SOURCE_DIR}/CHANGELOG.md VERBATIM)
add_custom_target(changelog ALL DEPENDS ${PROJECT_BINARY_DIR}/changelog.gz)
add_dependencies(program changelog)
foreach(component program dev)
	if(component STREQUAL "program")
		set(doc ${CMAKE_INSTALL_DATADIR}/doc/pawl)
	else()
		set(doc ${CMAKE_INSTALL_DATADIR}/doc/pawl-dev)
	endif()
	install(FILES ${PROJECT_SOURCE_DIR}/packaging/copyright ${PROJECT_BINARY_DIR}/changelog.gz
		DESTINATION ${doc} COMPONENT ${component})
endforeach()

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME pawl)
set(CPACK_PACKAGE_VENDOR "The pawl authors")
set(CPACK_PACKAGE_CONTACT "The pawl authors <pawl@localhost>" CACHE STRING "Maintainer of the packages")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_PRE_BUILD_SCRIPTS ${PROJECT_SOURCE_DIR}/packaging/modes.cmake)
set(CPACK_PROJECT_CONFIG_FILE ${PROJECT_SOURCE_DIR}/packaging/cpack.cmake)
set(CPACK_PAWL_SOURCE ${PROJECT_SOURCE_DIR})

set(CPACK_COMPONENTS_ALL program dev)
set(CPACK_COMPONENTS_GROUPING IGNORE)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_COMPRESSION_TYPE xz)
set(CPACK_DEBIAN_ENABLE_COMPONENT_DEPENDS ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)

set(CPACK_DEBIAN_PROGRAM_PACKAGE_NAME pawl)
set(CPACK_DEBIAN_PROGRAM_PACKAGE_SECTION devel)
set(CPACK_DEBIAN_PROGRAM_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PROGRAM_PACKAGE_SUGGESTS "python3, nodejs, pawl-dev")
set(CPACK_DEBIAN_PROGRAM_DESCRIPTION "workflow engine that never reuses what it cannot prove current
pawl runs workflows of bash, scripts and Lua, wired in YAML, and keeps the
results of their nodes.  A result is reused only where everything that it
depends on is known to be as it was; otherwise pawl says in one line why not.
One command lets go of a result that is not trusted any more.
.
Node types are plugins; bash, script and lua come with this package.")

set(CPACK_DEBIAN_DEV_PACKAGE_NAME pawl-dev)
set(CPACK_DEBIAN_DEV_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEV_PACKAGE_ARCHITECTURE all)
set(CPACK_DEBIAN_DEV_PACKAGE_SUGGESTS "cmake, pkg-config")
set(CPACK_COMPONENT_DEV_DEPENDS program)
set(CPACK_DEBIAN_DEV_DESCRIPTION "what node types for the workflow engine pawl are built with
The C header of the plugin interface, a CMake package (find_package(PawlPlugin)),
a pkg-config file (pawl-plugin), and a template of a plugin in
/usr/share/doc/pawl-dev/examples, which is also what `pawl plugin new` writes.")
include(CPack)
