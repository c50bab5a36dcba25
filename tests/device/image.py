"""What the phones of the rig say of themselves: files that the commands in image/ print."""

from __future__ import annotations

from collections.abc import Mapping

PIXEL_4 = {"ro.product.model": "Pixel 4", "ro.product.device": "flame", "ro.build.fingerprint": "rig/flame/flame:13",
           "ro.build.version.release": "13", "ro.product.cpu.abi": "arm64-v8a", "ro.boot.qemu": "1"}
PIXEL_7 = {**PIXEL_4, "ro.product.model": "Pixel 7", "ro.product.device": "panther",
           "ro.build.fingerprint": "rig/panther/panther:14", "ro.build.version.release": "14"}


def files(properties: Mapping[str, str], temperature: int = 275, level: int = 85, thermal: int = 0,
          awake: bool = False, plugged: bool = True, charge: int = 2345000) -> dict[str, str]:
    """Path under /system -> content. As Android says it: ``temperature`` in tenths of a degree, charge in µAh."""
    return {
        "build.prop": "".join(f"{name}={value}\n" for name, value in properties.items()),
        "dumpsys/battery": f"Current Battery Service state:\n  AC powered: false\n"
                           f"  USB powered: {str(plugged).lower()}\n  Wireless powered: false\n"
                           f"  status: 2\n  present: true\n  level: {level}\n  scale: 100\n"
                           f"  voltage: 4000\n  temperature: {temperature}\n  Charge counter: {charge}\n"
                           "  technology: Li-ion\n",
        "dumpsys/thermalservice": f"IsStatusOverride: false\nThermal Status: {thermal}\nCached temperatures:\n"
                                  "\tTemperature{mValue=31.2, mType=3, mName=skin, mStatus=0}\n",
        "dumpsys/power": f"Power Manager State:\n  mWakefulness={'Awake' if awake else 'Asleep'}\n",
        "settings/global.airplane_mode_on": "1\n"}
