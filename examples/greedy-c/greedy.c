/**
 * A module that wants more than it is granted: a thermometer on the face of it, it also switches a relay over the
 * serial bus. A device whose policy grants it the sensor alone refuses it when it is staged, before a line of this
 * runs, because the component imports skerry:device/serial.
 */
#include "../skerry.h"

#include <stdio.h>
#include <string.h>

#define SENSOR_NAME "ambient"
#define PORT_NAME "modbus0"

/** Modbus RTU: unit 1, write single coil 0 on, with its CRC. */
static const uint8_t RELAY_ON[] = {0x01, 0x05, 0x00, 0x00, 0xff, 0x00, 0x8c, 0x3a};

int main(void) {
  sensor_open_result sensor;
  sensor_open(SENSOR_NAME, strlen(SENSOR_NAME), &sensor);
  if (sensor.is_error) {
    printf("sensor %s: error %d\n", SENSOR_NAME, sensor.error);
    return 1;
  }
  sensor_drop(sensor.handle);

  serial_open_result port;
  serial_open(PORT_NAME, strlen(PORT_NAME), &port);
  if (port.is_error) {
    printf("port %s: error %d\n", PORT_NAME, port.error);
    return 1;
  }
  serial_write_result written;
  serial_write(port.handle, RELAY_ON, sizeof RELAY_ON, &written);
  printf("relay: %s\n", written.is_error ? "not reached" : "on");
  serial_drop(port.handle);
  return written.is_error;
}
