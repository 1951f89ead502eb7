# What every target of this project is built with, and the two helpers that make a layer
# of core/ and a node-type plugin.

set(PAWL_WARNINGS
	-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes
	-Wwrite-strings -Wcast-qual -Wvla -Wundef -Wformat=2 -Wimplicit-fallthrough
	-Wnull-dereference -Wdouble-promotion)
if(PAWL_WERROR)
	list(APPEND PAWL_WARNINGS -Werror)
endif()
# gcc's flow analysis of null pointers and of first values is not sound through the checks that the sanitizers put in;
# the plain build keeps both.
if(CMAKE_C_FLAGS MATCHES "-fsanitize" AND CMAKE_C_COMPILER_ID STREQUAL "GNU")
	list(APPEND PAWL_WARNINGS -Wno-null-dereference -Wno-maybe-uninitialized)
endif()

# A release has the same bytes wherever it is built: no path of this machine in debug information, messages and archives.
# A debugger wants the paths, and gcov needs them.
if(NOT CMAKE_BUILD_TYPE STREQUAL "Debug")
	# The last that fits wins, and the build may lie in the source.
	set(maps -ffile-prefix-map=${PROJECT_SOURCE_DIR}=. -ffile-prefix-map=${PROJECT_BINARY_DIR}=build)
	add_compile_options(${maps})
	add_link_options(${maps}) # link-time optimisation writes debug information too
	set(CMAKE_C_ARCHIVE_CREATE "<CMAKE_AR> Dqc <TARGET> <LINK_FLAGS> <OBJECTS>")
	set(CMAKE_C_ARCHIVE_FINISH "<CMAKE_RANLIB> -D <TARGET>")
	if(CMAKE_C_COMPILER_AR)
		set(CMAKE_C_ARCHIVE_CREATE_IPO "\"${CMAKE_C_COMPILER_AR}\" Dqc <TARGET> <LINK_FLAGS> <OBJECTS>")
		set(CMAKE_C_ARCHIVE_FINISH_IPO "\"${CMAKE_C_COMPILER_RANLIB}\" -D <TARGET>")
	endif()
endif()

function(pawl_target target)
	target_compile_definitions(${target} PRIVATE _GNU_SOURCE)
	target_compile_options(${target} PRIVATE ${PAWL_WARNINGS} -fvisibility=hidden
		-include ${PROJECT_SOURCE_DIR}/core/base/banned.h)
	target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR}/core
		${PROJECT_SOURCE_DIR}/sdk/include ${PROJECT_BINARY_DIR}/include)
endfunction()

# pawl_layer(NAME LOWER...): core/NAME/*.c as the static library pawl_NAME.
function(pawl_layer name)
	file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/core/${name}/*.c)
	add_library(pawl_${name} STATIC ${sources})
	pawl_target(pawl_${name})
	foreach(lower ${ARGN})
		if(TARGET pawl_${lower})
			target_link_libraries(pawl_${name} PUBLIC pawl_${lower})
		else()
			target_link_libraries(pawl_${name} PUBLIC ${lower})
		endif()
	endforeach()
endfunction()

# pawl_plugin(KEYWORD LIBRARIES...): plugins/KEYWORD/*.c as lib/pawl/plugins/pawl_KEYWORD.so.
# A built-in plugin sees the SDK header only, like anybody's.
function(pawl_plugin keyword)
	file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/plugins/${keyword}/*.c)
	add_library(pawl_${keyword} MODULE ${sources})
	target_compile_definitions(pawl_${keyword} PRIVATE _GNU_SOURCE)
	target_compile_options(pawl_${keyword} PRIVATE ${PAWL_WARNINGS} -fvisibility=hidden)
	target_include_directories(pawl_${keyword} PRIVATE ${PROJECT_SOURCE_DIR}/sdk/include)
	target_link_libraries(pawl_${keyword} PRIVATE ${ARGN})
	set_target_properties(pawl_${keyword} PROPERTIES PREFIX ""
		LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/lib/pawl/plugins)
	add_dependencies(program pawl_${keyword})
	install(TARGETS pawl_${keyword} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}/pawl/plugins)
endfunction()
